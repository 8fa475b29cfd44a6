{
	name = "数据" + 1;
}.name
