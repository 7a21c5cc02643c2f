"""NOR flash in RAM: a program only clears bits, and power can be cut within any operation.

What a cut leaves of the operation it strikes is one of TEARS. A trace kept while a workload runs lets a
test stand at every cut of it without running it again: apply the operations before, tear the next one.
"""

BLOCK_BYTES = 4096
_IOCTL_BLOCK_COUNT = 4
_IOCTL_BLOCK_SIZE = 5
_IOCTL_ERASE = 6

TEARS = ("nothing", "half", "all")  # the power went before, within, or just after it


class PowerCut(BaseException):
    """The power is gone. Not an Exception: nothing in the firmware may catch it."""


class Flash:
    """The block-device interface of `esp32.Partition`.

    `trace`: None, or a list that takes (address, bytes) of each operation; an erase is a block of FF.
    """

    def __init__(self, blocks):
        self.image = bytearray(b"\xff" * (blocks * BLOCK_BYTES))
        self.operations = 0
        self.erases = 0
        self.trace = None
        self.stuck = {}  # address -> bits that cannot be cleared there any more
        self.dead_blocks = set()  # blocks that an erase leaves as they are
        self.twin = None  # another Flash that loses its power with this one
        self._cut_at = 0
        self._tear = ""
        self._dead = False

    def cut_at(self, operation, tear):
        """Cut the power within the `operation`-th operation from now, 0 for never."""
        self._cut_at = self.operations + operation if operation else 0
        self._tear = tear

    def power_up(self):
        self._dead = False
        self._cut_at = 0

    def readblocks(self, block, buffer, offset=0):
        if self._dead:
            raise PowerCut
        at = block * BLOCK_BYTES + offset
        assert offset + len(buffer) <= BLOCK_BYTES, "read across a block's end"
        buffer[:] = memoryview(self.image)[at : at + len(buffer)]

    def writeblocks(self, block, data, offset):
        at = block * BLOCK_BYTES + offset
        assert offset + len(data) <= BLOCK_BYTES, "program across a block's end"
        old = int.from_bytes(self.image[at : at + len(data)], "big")
        new = int.from_bytes(data, "big")
        if block in self.dead_blocks:
            data = (old & new).to_bytes(len(data), "big")  # over what an erase has left
        else:
            assert old & new == new, "a program would have to set bits at %d" % at
        self._do(at, bytes(data))

    def ioctl(self, operation, argument):
        if operation == _IOCTL_BLOCK_COUNT:
            return len(self.image) // BLOCK_BYTES
        if operation == _IOCTL_BLOCK_SIZE:
            return BLOCK_BYTES
        if operation != _IOCTL_ERASE:
            return 0  # a file system that is mounted, unmounted, or wants what it wrote to be written
        self.erases += 1
        self._do(argument * BLOCK_BYTES, None)
        return 0

    def _do(self, at, data):
        if self._dead:
            raise PowerCut
        self.operations += 1
        if self.operations == self._cut_at:
            self._dead = True
            if self.twin is not None:
                self.twin._dead = True
            self.apply(at, data, self._tear)
            raise PowerCut
        self.apply(at, data, "all")
        if self.trace is not None:
            self.trace.append((at, data))

    def apply(self, at, data, tear):
        """Do one operation of a trace to the image, as far as `tear` lets it come. `data` None: erase."""
        size = BLOCK_BYTES if data is None else len(data)
        done = {"nothing": 0, "half": size // 2, "all": size}[tear]
        if data is None and at // BLOCK_BYTES in self.dead_blocks:
            return
        if data is None:
            piece = memoryview(_BLANK)
            for start in range(at, at + done, len(_BLANK)):
                self.image[start : start + len(_BLANK)] = piece
        else:
            self.image[at : at + done] = data[:done]
            for address, bits in self.stuck.items():
                if at <= address < at + done:
                    self.image[address] |= bits


_BLANK = b"\xff" * 512
