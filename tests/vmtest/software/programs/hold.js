// Loads the modules it is told, says so, and waits for the end of its standard input.
for (const name of process.argv.slice(2)) require(name);
console.log('ready');
process.stdin.resume();
