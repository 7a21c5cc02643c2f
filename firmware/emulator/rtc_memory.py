"""The RTC's memory, in a file beside the board's flash. The board's host removes it with the power."""


def memory(path, data=None):
    if data is not None:
        with open(path, "wb") as file:
            file.write(data)
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
