<?php
// Loads the classes it is told, says so, and waits for the end of its standard input.
require getcwd() . '/vendor/autoload.php';
foreach (array_slice($argv, 1) as $name) class_exists($name) || exit("no $name\n");
echo "ready\n";
stream_get_contents(STDIN);
