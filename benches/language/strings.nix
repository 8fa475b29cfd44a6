# Interpolation, concatStringsSep, replaceStrings, hashString, toString.
let
  range = builtins.genList (n: n);
  lines = map (n: "line ${toString n}: the value of ${toString (n * 7)} is ${if n / 2 * 2 == n then "even" else "odd"}\n") (range 200000);
  text = builtins.concatStringsSep "" lines;
  replaced = builtins.replaceStrings [ "even" "odd" "\n" ] [ "gerade" "ungerade" "; " ] text;
  hashes = map (n: builtins.hashString "sha256" "input ${toString n}") (range 60000);
in
[
  (builtins.stringLength text)
  (builtins.stringLength replaced)
  (builtins.hashString "sha256" replaced)
  (builtins.hashString "md5" (builtins.concatStringsSep "," hashes))
]
