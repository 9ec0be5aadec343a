"""Traffic that is nobody's attack and looks like one, a file each; the table is `catalogue.CONFUSERS`."""
