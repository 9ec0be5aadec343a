# syntax=docker/dockerfile:1
# The program with its kernels compiled, on a slim Python, as an ordinary user.
#   docker build -t detector . && docker run --rm -v /var/log/nginx:/logs:ro detector replay /logs

FROM python:3.13-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy VIRTUAL_ENV=/opt/detector
WORKDIR /src
COPY .ci/bootstrap.txt .ci/requirements.txt .ci/
RUN pip install --no-cache-dir --require-hashes -r .ci/bootstrap.txt \
    && uv venv /opt/detector \
    && uv pip install --no-cache --require-hashes -r .ci/requirements.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY detector detector
COPY configs configs
RUN uv build -q --wheel --no-build-isolation --python /usr/local/bin/python3 -o /tmp/wheel . \
    && uv pip install --no-cache --no-deps /tmp/wheel/*.whl
# Kernels for any processor of this architecture; KERNEL_CPU=x86-64-v3 and the like for a known one.
ARG KERNEL_CPU=generic
ENV DETECTOR_KERNEL_CPU=${KERNEL_CPU} DETECTOR_KERNEL_CACHE=/opt/detector/kernels
COPY sample_logs/quiet.log.gz /tmp/
RUN /opt/detector/bin/detector replay --quiet /tmp/quiet.log.gz

FROM python:3.13-slim
ARG KERNEL_CPU=generic
ENV PATH=/opt/detector/bin:$PATH DETECTOR_KERNEL_CPU=${KERNEL_CPU} DETECTOR_KERNEL_CACHE=/opt/detector/kernels \
    PYTHONUNBUFFERED=1
RUN useradd --system --uid 10001 --no-create-home detector
COPY --from=build /opt/detector /opt/detector
USER 10001
ENTRYPOINT ["detector"]
