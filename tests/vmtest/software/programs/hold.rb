# Loads the libraries it is told, says so, and waits for the end of its standard input.
ARGV.each { |name| require name }
puts 'ready'
$stdout.flush
$stdin.read
