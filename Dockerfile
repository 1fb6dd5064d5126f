# FlintDB in a container: small, not root, healthy when it may be used.
#   docker build -t flintdb .
#   docker run -p 127.0.0.1:27017:27017 -v flintdb:/data/db flintdb
# The page cache follows the container's memory limit (docker run --memory); docs/operations.md says how.

FROM node:20-slim AS build
WORKDIR /source
COPY . .
# Builds dist/ (the package's prepare script), then packs what is published.
RUN npm ci --no-audit --no-fund && npm pack --ignore-scripts --pack-destination /package

FROM node:20-slim
COPY --from=build /package/flintdb-*.tgz /tmp/flintdb.tgz
RUN npm install --global --omit=dev --no-audit --no-fund /tmp/flintdb.tgz \
 && rm -rf /tmp/flintdb.tgz /root/.npm \
 && mkdir -p /data/db && chown node:node /data/db
USER node
VOLUME /data/db
EXPOSE 27017 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# A container's loopback reaches nobody: --bind_ip_all needs --noauth, because there is no access control yet. Publish the
# port on 127.0.0.1 only, as above, unless everybody who can reach it may read and change everything.
ENTRYPOINT ["flintd", "--dbpath", "/data/db", "--bind_ip_all", "--noauth", "--httpPort", "8080"]
