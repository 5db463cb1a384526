"""The live page: a visitor chooses a picture, speaks, and watches the person in it say the same.

    browser                                  server
    POST /people (a picture)           ->    find the person, keep it for a while       gallery.py
    websocket /talk: {"person", ...}   ->    wait for a free slot, report the place     session.py, queue.py
    voice: PCM chunks, or one file     ->    generate frames, in a thread per talk      audio_input.py, av_sync.py
    Media Source, one video element    <-    fragments of one MP4 with both tracks      mp4_stream.py, fmp4.py
    every request                            check host, origin and token               auth.py

One visitor never delays another: every buffer and every wait is bounded (`limits.py`).
"""
