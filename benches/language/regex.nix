# Regular expressions on 60,000 strings, and a split of 1.2 MB.
let
  names = builtins.genList (n: "package-${toString n}.${toString (n / 7)}-r${toString (n / 1000)}") 60000;
  parsed = map (builtins.match "([a-z]+)-([0-9]+)\\.([0-9]+)-r([0-9]*)") names;
  refused = builtins.filter (name: builtins.match ".*[.]tar[.](gz|xz|bz2)" name != null) names;
  text = builtins.concatStringsSep " " names;
  words = builtins.filter builtins.isString (builtins.split "[ \n]+" text);
in
[ (builtins.foldl' (total: groups: total + builtins.length groups) 0 parsed) refused (builtins.length words) ]
