builtins.mpa (x: x) [ ]
