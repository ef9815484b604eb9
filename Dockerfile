# One image for api, worker and command line: docker run IMAGE api|worker|check|…
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No dependency needs an install script. The Node that npm brings along for development machines is taken out: the image has its own.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/node-linux-* node_modules/.bin/node \
  && npm cache clean --force

FROM node:24.21.0-bookworm-slim
# git reads the repositories, ssh is its transport.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates git openssh-client tini \
  && rm -rf /var/lib/apt/lists/* \
  && install --directory --owner=node --group=node /var/lib/vartrack
WORKDIR /app
ENV NODE_ENV=production \
  HOME=/var/lib/vartrack \
  VARTRACK_CACHE_DIR=/var/lib/vartrack/git
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY domain ./domain
COPY schemas ./schemas
COPY sinks ./sinks
COPY clients ./clients
COPY workflows ./workflows
COPY activities ./activities
COPY worker ./worker
COPY api ./api
COPY cli ./cli
USER node
VOLUME /var/lib/vartrack
# git and ssh children are reaped and signals reach Node.
ENTRYPOINT ["tini", "--", "node", "cli/main.ts"]
CMD ["--help"]
