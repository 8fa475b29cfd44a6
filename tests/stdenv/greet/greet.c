#include "greet.h"
static const char *distinct_local_name(void) { return "greetings"; }
const char *(*distinct_table[])(void) = { distinct_local_name };
const char *greeting(void) { return distinct_table[0](); }
