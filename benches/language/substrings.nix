# 200,000 one-character substrings of a 440 KB string, and prefixes and suffixes as libraries test for them.
let
  text = builtins.concatStringsSep "" (builtins.genList (n: "0123456789a") 40000);
  characters = builtins.genList (n: builtins.substring (n * 2) 1 text) 200000;
  hasPrefix = prefix: string: builtins.substring 0 (builtins.stringLength prefix) string == prefix;
  hasSuffix = suffix: string:
    let length = builtins.stringLength string; size = builtins.stringLength suffix; in
    length >= size && builtins.substring (length - size) length string == suffix;
  names = builtins.genList (n: "source-${toString n}.tar.gz") 150000;
in
[
  (builtins.stringLength (builtins.concatStringsSep "" characters))
  (builtins.length (builtins.filter (hasPrefix "source-1") names))
  (builtins.length (builtins.filter (hasSuffix "9.tar.gz") names))
]
