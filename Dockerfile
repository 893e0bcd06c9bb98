# The gateway's image. Its records go to a Postgres given by URL (compose.yaml shows one), so the embedded one is left out.

FROM node:20-slim AS build
WORKDIR /app
COPY . .
RUN npm ci --ignore-scripts \
 && npx tsc -b packages/cli \
 && npx vite build packages/console --logLevel warn \
 && npm prune --omit=dev --omit=optional --ignore-scripts \
 && rm -rf .git docs packages/*/src protocols/*/src

FROM node:20-slim
ENV NODE_ENV=production SALLYPORT_HOME=/var/lib/sallyport
COPY --from=build /app /app
RUN ln -s /app/packages/cli/bin/sallyport.js /usr/local/bin/sallyport \
 && install -d -o node -g node -m 0700 /var/lib/sallyport
USER node
WORKDIR /var/lib/sallyport
VOLUME /var/lib/sallyport
EXPOSE 15432 7080
ENTRYPOINT ["sallyport"]
CMD ["start", "-c", "/etc/sallyport/sallyport.yaml"]
