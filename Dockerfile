# syntax=docker/dockerfile:1
# The program with its kernels compiled, on a slim Python, as an ordinary user, its root read-only:
#   docker build -t detector . && docker run --rm --read-only -v /var/log/nginx:/logs:ro detector replay /logs
# BASE may be any Debian with Python 3.11 to 3.13 and its venv module. `--target slim` leaves out what a stream needs no more once the kernels are there: numba, and pyod with what it brings.

ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy VIRTUAL_ENV=/opt/detector PATH=/opt/build/bin:$PATH
WORKDIR /src
COPY .ci/bootstrap.txt .ci/requirements.txt .ci/
RUN python3 -m venv /opt/build \
    && pip install --no-cache-dir --require-hashes -r .ci/bootstrap.txt \
    && uv venv -q --python /opt/build/bin/python /opt/detector \
    && uv pip install --no-cache --require-hashes -r .ci/requirements.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY detector detector
COPY configs configs
RUN uv build -q --wheel --no-build-isolation --python /opt/build/bin/python -o /tmp/wheel . \
    && uv pip install --no-cache --no-deps /tmp/wheel/*.whl
# Kernels for any processor of this architecture; KERNEL_CPU=x86-64-v3 and the like for a known one. All of them: a
# sidecar must not compile when its first record is there.
ARG KERNEL_CPU=generic
ENV DETECTOR_KERNEL_CPU=${KERNEL_CPU} DETECTOR_KERNEL_CACHE=/opt/detector/kernels
RUN /opt/detector/bin/python -c "from detector.compiled import prepare; \
    from detector.engines.assembly import STREAM_KERNELS as all; prepare(all)"

FROM build AS thinned
RUN uv pip uninstall -q numba pyod scikit-learn scipy matplotlib joblib \
    && /opt/detector/bin/detector --version

FROM ${BASE} AS base
ARG KERNEL_CPU=generic
LABEL org.opencontainers.image.title="Detector" \
      org.opencontainers.image.description="Finds bulk extraction in API access logs" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/detector/bin:$PATH DETECTOR_KERNEL_CPU=${KERNEL_CPU} DETECTOR_KERNEL_CACHE=/opt/detector/kernels \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --no-create-home detector \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/detector
USER 10001
VOLUME /var/lib/detector
EXPOSE 9476
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9476/-/healthy', timeout=4)"]
ENTRYPOINT ["detector"]

FROM base AS slim
COPY --from=thinned /opt/detector /opt/detector

FROM base AS full
COPY --from=build /opt/detector /opt/detector
