#!/usr/bin/env bash
# Packs the package and uses it as a stranger would: installed from the tarball, in a project of its own whose path has a space,
# type-checked without skipping the library's declarations, and run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root="$PWD"
scratch="$(mktemp -d)"
node=
trap '[[ -z "$node" ]] || kill "$node" 2>/dev/null; rm -rf "$scratch"' EXIT
project="$scratch/a separate project"
mkdir "$project"

npm pack --pack-destination "$scratch" >/dev/null
tarball="$(echo "$scratch"/scatterhoard-*.tgz)"
node_modules/.bin/attw "$tarball" --profile esm-only --no-definitely-typed --format ascii --no-emoji

cp test/packed/*.ts "$project/"
typescript="$(node -p 'require("typescript/package.json").version')"
cd "$project"
cat >package.json <<'JSON'
{ "private": true, "type": "module" }
JSON
cat >tsconfig.json <<'JSON'
{ "compilerOptions": { "module": "nodenext", "target": "es2022", "strict": true, "exactOptionalPropertyTypes": true,
  "noUncheckedIndexedAccess": true, "skipLibCheck": false, "rootDir": ".", "outDir": "out" } }
JSON
npm install --no-fund --no-audit "$tarball" "typescript@$typescript"
node "$root/.ci/installed.js" "$project/node_modules/scatterhoard"
node_modules/.bin/tsc -p .
# It ends by itself, or it has failed.
timeout -k 5 60 node --enable-source-maps out/main.js

# The command, as npx finds it.
[[ "$(npx --no-install scatterhoard --version)" == "$(node -p 'require("scatterhoard/package.json").version')" ]]
(umask 077 && openssl rand -base64 32 >secret)
node_modules/.bin/scatterhoard node --name a --listen ./a.sock --cache users --memory 64mb --secret-file secret >node.log 2>&1 &
node=$!
timeout 30 bash -c 'until grep -q "has started" node.log; do sleep 0.1; done' || { cat node.log >&2; exit 1; }
npx --no-install scatterhoard status --connect ./a.sock --secret-file secret | grep '^users '
kill -TERM "$node"
wait "$node"
grep -x 'node a has stopped' node.log
node=
