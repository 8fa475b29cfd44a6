let __nixPath = [ { prefix = "lib"; path = ./folder; } ]; in import <lib/value.nix>
