[ 1.0 0.1 1.5e10 1.0e-7 123456789.0 .5 1. (builtins.toString 1.5) (builtins.toJSON [ 1.0 0.1 1.0e100 1.5e-9 ]) (builtins.floor 1.7) (builtins.ceil 1.2) (0.1 + 0.2) ]
