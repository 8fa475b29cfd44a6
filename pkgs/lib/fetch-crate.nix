# A crate of crates.io, as its registry serves it: a tar in gzip.
{ bootstrap }:
{
  name,
  version,
  sha256,
}:
bootstrap.fetch {
  # Versions may have a `+`, which a store path's name may have too.
  name = "${name}-${version}.crate";
  urls = [ "crate:${name}/${version}" ];
  hash = "sha256:${sha256}";
}
