"""What a network costs, from its graph alone.

Operations, memory, time on a device, receptive fields, the counts of other tools, and how two networks differ.
"""
