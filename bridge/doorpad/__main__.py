from doorpad.cli import main

main()
