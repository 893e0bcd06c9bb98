await import('../dist/bench/ssh-main.js')
