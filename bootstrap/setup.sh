# What the steps with a shell begin with, by `. "$setup"`: a copy of the source to work in. All its files keep
# one and the same time, so that make takes what upstream generated for up to date.
mkdir /build/source
cp -rp "$source/." /build/source
chmod -R u+w /build/source
cd /build/source
