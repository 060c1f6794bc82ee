# syntax=docker/dockerfile:1
# One image per program: docker build --target edge -t natter-edge .
# Targets: edge, authz, persistence, redis-adapter, natter (everything in one process, and the admin commands).

# The build and the runtime are of one Debian release, so that both have the same glibc. Whoever wants builds that can
# be repeated bit for bit gives both as name@sha256:digest.
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${RUST_IMAGE} AS chef
ARG CARGO_CHEF_VERSION=0.1.78
RUN cargo install cargo-chef --locked --version "${CARGO_CHEF_VERSION}"
WORKDIR /src

# What is built from elsewhere, as a list that changes only when Cargo.toml or Cargo.lock do.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
# The layer that stays while only our own code changes.
RUN cargo chef cook --release --locked --recipe-path recipe.json \
    --package natter --package natter-edge --package natter-authz --package natter-persistence \
    --package natter-redis-adapter
COPY . .
RUN cargo build --release --locked --bins \
    --package natter --package natter-edge --package natter-authz --package natter-persistence \
    --package natter-redis-adapter \
    && install -D -t /out target/release/natter target/release/natter-edge target/release/natter-authz \
    target/release/natter-persistence target/release/natter-redis-adapter \
    && install -d /empty

# glibc, libgcc and certificates; no shell, no package manager.
FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Natter" \
    org.opencontainers.image.description="A chat backend for cloud teams" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# As a number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /

FROM runtime AS edge
COPY --from=build /out/natter-edge /natter-edge
EXPOSE 8000 9090
ENTRYPOINT ["/natter-edge"]

FROM runtime AS authz
COPY --from=build /out/natter-authz /natter-authz
EXPOSE 50051 9091
ENTRYPOINT ["/natter-authz"]

FROM runtime AS persistence
COPY --from=build /out/natter-persistence /natter-persistence
EXPOSE 50052 9092
ENTRYPOINT ["/natter-persistence"]

FROM runtime AS redis-adapter
COPY --from=build /out/natter-redis-adapter /natter-redis-adapter
EXPOSE 9093
ENTRYPOINT ["/natter-redis-adapter"]

# Last, so that a build without --target gives the one that needs nothing else.
FROM runtime AS natter
COPY --from=build /out/natter /natter
COPY --from=build --chown=65532:65532 /empty /data
ENV NATTER_LISTEN=0.0.0.0:8000 NATTER_OPS_LISTEN=0.0.0.0:9090 NATTER_DATA=/data
VOLUME /data
EXPOSE 8000 9090
ENTRYPOINT ["/natter"]
