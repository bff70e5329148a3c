#!/bin/sh
# Makes the two fonts of this folder again from the npm package that README.md names: one weight each of the
# variable font, its five alphabets in one file, with kerning and figures of equal width and nothing else.
# Needs npm and python3 with venv; changes nothing but this folder.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
printf '{"private":true}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @fontsource-variable/inter@5.3.0
python3 -m venv venv
venv/bin/pip -q install fonttools==4.68.0 brotli==1.2.1
venv/bin/python - "$here" <<'PY'
import sys
from fontTools import merge, subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

FILE = "node_modules/@fontsource-variable/inter/files/inter-%s-wght-normal.woff2"
ALPHABETS = ("latin", "latin-ext", "greek", "cyrillic", "vietnamese")
LEFT_OUT = ["STAT", "HVAR", "MVAR", "avar", "fvar", "gvar", "DSIG"]


def one_weight(alphabet, weight):
    font = instancer.instantiateVariableFont(TTFont(FILE % alphabet), {"wght": weight}, inplace=True)
    options = subset.Options()
    options.hinting = False
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "tnum"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=font.getBestCmap().keys())
    subsetter.subset(font)
    font.flavor = None
    path = f"{alphabet}-{weight}.ttf"
    font.save(path)
    return path


for weight, name in ((400, "inter-regular"), (650, "inter-bold")):
    parts = [one_weight(alphabet, weight) for alphabet in ALPHABETS]
    merged = merge.Merger(options=merge.Options(drop_tables=LEFT_OUT)).merge(parts)
    merged.save(f"{sys.argv[1]}/{name}.ttf")
PY
cp node_modules/@fontsource-variable/inter/LICENSE "$here/inter.OFL.txt"
