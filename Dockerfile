# diffuse for the CPU, with its weights. It needs no network, runs as an ordinary user and downloads nothing.
#
#   docker build -t diffuse .
#   docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD:/pictures" diffuse denoise in.png -o out.png

ARG BASE=python:3.12-slim

FROM ${BASE} AS build
# Extras of pyproject.toml, such as formats,dicom,serve.
ARG EXTRAS=formats,serve
# What installs packages. Here: PyTorch without CUDA, which saves 4 GB.
ARG INSTALL="env UV_TORCH_BACKEND=cpu uv pip install --python /opt/diffuse/bin/python"
COPY . /src
RUN python3 -m venv /opt/diffuse \
    && /opt/diffuse/bin/pip install --no-cache-dir uv \
    && PATH="/opt/diffuse/bin:$PATH" ${INSTALL} "/src[${EXTRAS}]" \
    && /opt/diffuse/bin/pip uninstall --yes uv

FROM ${BASE}
COPY --from=build /opt/diffuse /opt/diffuse
# The user has no home. Journals and settings go to /tmp, which may be a tmpfs.
ENV PATH=/opt/diffuse/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/tmp \
    XDG_CONFIG_HOME=/tmp \
    XDG_DATA_HOME=/tmp \
    XDG_STATE_HOME=/tmp
USER 10001:10001
WORKDIR /pictures
ENTRYPOINT ["diffuse"]
CMD ["--help"]
