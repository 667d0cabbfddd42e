#!/bin/sh
# Makes the fonts of this folder from Debian's packages (see README.md for versions):
#   apt-get install fonttools fonts-noto-core fonts-droid-fallback
#   ./subset.sh /usr/share/fonts/truetype
set -eu
fonts=$1
cd "$(dirname "$0")"

# subset NAME SOURCE UNICODES: shaping rules stay, hinting (for screens) goes.
subset() {
    pyftsubset "$fonts/$2" --output-file="$1" --unicodes="$3" --layout-features='*' \
        --no-hinting --notdef-outline --name-IDs='0,1,2,3,4,5,6,13,14' --no-recalc-timestamp
    gzip --best --no-name --force "$1"
}

# Latin (Vietnamese and African languages too), Greek, Cyrillic, punctuation, currencies.
letters='U+0020-052F,U+1AB0-1AC0,U+1C80-1C88,U+1D00-1DBF,U+1E00-1FFF,U+2000-20CF,U+2100-214F,U+2C60-2C7F,U+2DE0-2DFF,U+A640-A69F,U+A720-A7FF,U+AB30-AB67,U+FB00-FB06,U+FFFD'
subset NotoSans-Regular.ttf noto/NotoSans-Regular.ttf "$letters"
subset NotoSans-Bold.ttf noto/NotoSans-Bold.ttf "$letters"
subset NotoSansArabic-Regular.ttf noto/NotoSansArabic-Regular.ttf '*'
subset NotoSansArabic-Bold.ttf noto/NotoSansArabic-Bold.ttf '*'
# Every ideograph of Unicode's first block and extension A, kana and full-width forms.
subset DroidSansFallback.ttf droid/DroidSansFallbackFull.ttf 'U+0020,U+2E80-9FFF,U+F900-FAFF,U+FE30-FE4F,U+FF00-FFEF'
for script in Armenian Bengali Devanagari Ethiopic Georgian Gujarati Gurmukhi Hebrew Kannada Khmer \
    Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu Thaana Thai; do
    subset "NotoSans$script-Regular.ttf" "noto/NotoSans$script-Regular.ttf" '*'
done
