# Any image with Node 20.20 or 22.2 and newer, npm and glibc: onnxruntime-node has no build for musl.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The packages stay cached until these change.
COPY package.json package-lock.json .npmrc ./
# Without scripts, which are only tfjs-node-gpu's download and esbuild's self-check. Never with --omit=optional:
# TypeScript's compiler is an optional dependency, as are sharp's binaries below.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY web ./web
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# tfjs-node-gpu goes because it needs CUDA, which the base image lacks, and brings as many megabytes as everything else.
# The binaries for other platforms go because onnxruntime-node ships them all in one package. Loading what is left
# makes an unfit base image fail here, not in production.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && npm uninstall --no-save --omit=dev --ignore-scripts --no-audit --no-fund @tensorflow/tfjs-node-gpu \
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d \
      ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} + \
 && node -e "require('onnxruntime-node'); require('sharp')"

FROM ${NODE_IMAGE} AS models
COPY models /models
# Training tools write weights that only their owner can read, and COPY keeps the mode.
RUN chmod -R a+rX /models

# Native TensorFlow with CUDA, for the target `cuda` alone. The install lies in a cache, so that a change of the sources
# costs one convolution instead of downloading gigabytes again; headers are needed only to build the addon.
FROM packages AS tensorflow
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ make python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/dist ./dist
RUN --mount=type=cache,target=/tensorflow \
    TENSORFLOW_DIR=/tensorflow node dist/cli/main.js install-tensorflow --gpu \
 && cp -a /tensorflow /app/.tensorflow \
 && rm -r /app/.tensorflow/node_modules/@tensorflow/tfjs-node-gpu/deps/include \
 && chmod -R a+rX /app/.tensorflow

FROM ${NODE_IMAGE} AS cpu
LABEL org.opencontainers.image.title="resnet-serve" \
      org.opencontainers.image.description="HTTP embedding and inference server for ResNets trained in PyTorch, with dynamic batching"
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
# A balancer learns of the end after the container does: Kubernetes removes the endpoint and sends SIGTERM at the same
# time, and probes take a period or two. Long enough for both, and short of the 10 s that docker stop waits.
ENV DRAIN_DELAY_MS=5000
WORKDIR /app
# What changes least comes first. All of it belongs to root: the server writes no file.
COPY --from=packages /app/node_modules ./node_modules
COPY --from=models /models ./models
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
# By number, so that Kubernetes can check runAsNonRoot; no account of that number is needed.
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# /readyz rather than /livez: those who act on a container's health (Compose's service_healthy, Swarm, Traefik) ask
# whether to send it requests. It says 503 while the engine process restarts, hence the retries; an engine that does not
# come back ends the server itself. Kubernetes ignores this line and probes both paths.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require('node:http').get({ host: process.env.HOST || '127.0.0.1', port: process.env.PORT || 8080, path: '/readyz' }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Node itself is process 1, with no shell or npm between it and SIGTERM. ENTRYPOINT is set because the base image's own
# would otherwise decide how CMD runs.
ENTRYPOINT ["node"]
CMD ["dist/server/main.js"]

# `docker build --target cuda`: the same server with native TensorFlow. CUDA, cuDNN and the rest lie beside libtensorflow,
# pinned by hash, so a CUDA base image would only bring them a second time. The driver comes from the host: `compute` is
# libcuda, `utility` is nvidia-smi and libnvidia-ml, which TensorFlow opens too. Where a Kubernetes node mounts the
# driver instead of its runtime doing so, it is at /usr/local/nvidia.
FROM cpu AS cuda
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    PATH=$PATH:/usr/local/nvidia/bin
COPY --from=tensorflow /app/.tensorflow ./.tensorflow

# Last, so that it is what `docker build` makes when no target is named.
FROM cpu
