/* config.h - tcc.h includes it; all that it could set is on the command line */
