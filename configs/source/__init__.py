"""What is made from one source: alert rules for Prometheus and for Grafana, and the dashboards."""
