"""Runs the wanted cases of one test file inside MicroPython, and writes a JSON line for each as it ends.

micropython runner.py MODULE     with wanted.json, [[name, index or null], ...], in the working directory
"""

import gc
import io
import json
import sys


def run(module, name, index):
    """Run one case; return its traceback, "" if it passed."""
    try:
        function = getattr(module, name)
        if index is None:
            function()
        else:
            function.function(function.values[index])
    except BaseException as error:  # a power cut and a reset are none of Exception
        text = io.StringIO()
        sys.print_exception(error, text)
        return text.getvalue()
    return ""


def main():
    with open("wanted.json") as file:
        wanted = json.load(file)
    gc.threshold(65_536)  # collect often, as the keypad's tick does: garbage all over the heap would split it
    module = __import__(sys.argv[1])
    for name, index in wanted:
        gc.collect()
        error = run(module, name, index)
        with open("results.jsonl", "a") as file:
            file.write(json.dumps({"name": name, "index": index, "error": error}) + "\n")


main()
