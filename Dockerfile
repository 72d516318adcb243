# docker build --tag bisenet-face-parsing .
# docker run --rm --read-only --tmpfs /tmp --publish 8080:8080 bisenet-face-parsing

ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
# checkov:skip=CKV_DOCKER_7:The base's exact version is in the argument above, where checkov does not look.

FROM ${PYTHON_IMAGE} AS build
# CPU builds of torch and torchvision; another index (or a mirror) is an argument away.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /build
COPY requirements.txt .
# Headers, static libraries and the libraries' own tests are never run; torch/bin is.
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --extra-index-url "${TORCH_INDEX}" -r requirements.txt \
 && /opt/venv/bin/pip uninstall --yes pip setuptools \
 && for name in torch/include torch/share pyarrow/include pyarrow/tests pandas/tests; do \
      rm -rf /opt/venv/lib/python3*/site-packages/"${name}"; \
    done \
 && find /opt/venv -name '*.a' -delete
COPY . /app
# The checkout's modes are the builder's; the server's user must be able to read every file.
RUN rm /app/requirements.txt \
 && python3 -m compileall -q /app \
 && chmod -R a+rX,go-w /app /opt/venv

FROM ${PYTHON_IMAGE}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="BiSeNet Face Parsing" \
      org.opencontainers.image.description="Dashboard and HTTP API that parse faces into 19 regions" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.14-slim-bookworm"
# A fixed number, so that a cluster can tell that the user is not root.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini=0.19.0-* \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp \
      --shell /usr/sbin/nologin bisenet
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    PORT=8080
USER 10001:10001
EXPOSE 8080
# The only place that is written to: photos on their way in, deleted when parsed.
VOLUME ["/tmp"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
  CMD ["python", "-m", "bisenet.serving.probe"]
ENTRYPOINT ["tini", "--", "python", "-m", "bisenet.server"]
