# syntax=docker/dockerfile:1
# Nothing but the program and what it loads: no shell, no package manager, not root.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked \
    && sh deploy/image/rootfs.sh target/dist/tokenlake /rootfs

FROM scratch
COPY --from=build /rootfs /
# A volume that is put here belongs to the user, too.
COPY --from=build --chown=65532:65532 /rootfs/data /data
USER 65532:65532
WORKDIR /data
# It takes TOKEN for a secret.
# hadolint ignore=DL3064
ENV TOKENLAKE_ARCHIVE=/data/archive \
    TOKENLAKE_LISTEN=0.0.0.0:9797 \
    TOKENLAKE_ADMIN_LISTEN=0.0.0.0:9798
EXPOSE 9797 9798
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/usr/bin/tokenlake", "healthcheck"]
ENTRYPOINT ["/usr/bin/tokenlake"]
CMD ["serve"]
