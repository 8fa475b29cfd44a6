# compareVersions, splitVersion, parseDrvName.
let
  version = n: "${toString (n / 1000)}.${toString (n / 10 - n / 1000 * 100)}${if n / 3 * 3 == n then "pre" else ".1"}";
  versions = builtins.genList version 30000;
  sorted = builtins.sort (a: b: builtins.compareVersions a b < 0) versions;
in
[
  (builtins.head sorted)
  (builtins.elemAt sorted 29999)
  (builtins.foldl' (total: v: total + builtins.length (builtins.splitVersion v)) 0 versions)
  (builtins.length (builtins.filter (v: (builtins.parseDrvName "a-package-${v}").version == v) versions))
]
