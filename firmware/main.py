from doorpad_fw.main import start

start()
