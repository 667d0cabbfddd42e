// Loaded before OpenHIM core, in its master and in its worker: whoever started them holds the other
// end of their standard input, which closes when that process is gone, however it went.
process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume()
