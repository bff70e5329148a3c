#!/bin/sh
# Makes the vendored files of this folder again from the npm packages that README.md names.
# Run it from anywhere; it needs npm and node, and changes nothing but this folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
printf '{"private":true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts \
    htmx.org@4.0.1 lucide-static@1.62.0 \
    @fontsource-variable/inter@5.3.0 @fontsource-variable/jetbrains-mono@5.3.0
cd node_modules

# One file: loaded apart, the extension misses the start of htmx.
{
    printf '/* htmx.org 4.0.1 and its hx-sse extension, Zero-Clause BSD */\n'
    sed '/sourceMappingURL/d' htmx.org/dist/htmx.min.js
    printf '\n'
    sed '/sourceMappingURL/d' htmx.org/dist/ext/hx-sse.min.js
} > "$here/js/htmx.js"
cp htmx.org/LICENSE "$here/js/htmx.LICENSE.txt"

cp @fontsource-variable/inter/files/inter-latin-wght-normal.woff2 "$here/fonts/inter.woff2"
cp @fontsource-variable/inter/LICENSE "$here/fonts/inter.OFL.txt"
cp @fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2 "$here/fonts/jetbrains-mono.woff2"
cp @fontsource-variable/jetbrains-mono/LICENSE "$here/fonts/jetbrains-mono.OFL.txt"

# Only the icons that icons.txt names, as symbols whose colour and width the style sheet gives.
node - "$here" <<'JS'
const { readFileSync, writeFileSync } = require("node:fs");
const here = process.argv[2];
const names = readFileSync(`${here}/icons.txt`, "utf8").split("\n").filter(line => line && !line.startsWith("#"));
const symbol = name => {
  const svg = readFileSync(`lucide-static/icons/${name}.svg`, "utf8");
  const inner = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.indexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner.replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>")}</symbol>\n`;
};
writeFileSync(`${here}/icons.svg`, `<!-- lucide-static 1.62.0, ISC: icons.LICENSE.txt -->\n<svg xmlns="http://www.w3.org/2000/svg">\n${names.map(symbol).join("")}</svg>\n`);
JS
cp lucide-static/LICENSE "$here/icons.LICENSE.txt"
