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
    # Debian's versions may have a `~`, which a store path's name has not.
    name = builtins.replaceStrings [ "~" ] [ "-" ] debian.file;
    inherit urls hash debian;
  };
  source = derivation {
    name = "${name}-source";
    system = "x86_64-linux";
    builder = "builtin:unpack";
    src = archive;
  };
}
