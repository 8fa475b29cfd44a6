import ./broken/not-utf8.nix
