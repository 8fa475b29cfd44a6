"a ${b c"
