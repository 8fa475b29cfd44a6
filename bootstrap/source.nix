# A pinned source: `archive` as fetched, `source` unpacked. What is given stands at the head of fetch.nix.
{ fetch }:

{
  name,
  urls ? [ ],
  hash,
  debian,
}:
rec {
  archive = fetch {
    name = debian.file;
    inherit urls hash debian;
  };
  source = derivation {
    name = "${name}-source";
    system = "x86_64-linux";
    builder = "builtin:unpack";
    src = archive;
  };
}
