# A source: one file, pinned by its hash, from the first address that has it.
#
#   name     name of the store path
#   urls     addresses in the order to try, upstream's own first
#   hash     SRI, for example sha256-…; whatever the address, the content is this
#   debian   optional { package; version; file; }: a file of a Debian source package, tried last;
#            the host's configuration says from which mirror. The version is for the reader
#            and for tools that look for newer ones; the address needs package and file only.
#   binarySeed  for what is no source: why it is trusted without being built, and what would remove it
{
  name,
  urls ? [ ],
  hash,
  debian ? null,
  binarySeed ? null,
}:

derivation (
  {
    inherit name;
    system = "x86_64-linux";
    builder = "builtin:fetch";
    urls = urls ++ (if debian == null then [ ] else [ "debian:${debian.package}/${debian.file}" ]);
    outputHash = hash;
    outputHashMode = "flat";
  }
  // (if binarySeed == null then { } else { inherit binarySeed; })
)
