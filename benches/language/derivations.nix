# 20,000 derivations with three inputs each.
let
  make = n: derivation {
    name = "package-${toString n}";
    system = "x86_64-linux";
    builder = "/bin/sh";
    args = [ "-c" "echo building ${toString n}" ];
    version = "1.${toString n}";
    inputs = if n < 3 then [ ] else map (m: builtins.elemAt all (n - m)) [ 1 2 3 ];
    configureFlags = [ "--prefix=/usr" "--enable-shared" "--disable-static" ];
    doCheck = true;
  };
  all = builtins.genList make 20000;
in
builtins.foldl' (total: each: total + builtins.stringLength each.name + (if each.drvPath == "" then 1 else 0)) 0 all
