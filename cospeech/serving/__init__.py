"""The live page: a visitor picks a picture, speaks, and watches the person in it say the same.

    browser                                  server
    POST /people (a picture)           ->    found, checked, kept for a while       gallery.py
    websocket /talk: {"person", ...}   ->    waits for a seat, is told its place    seats.py, visit.py
    voice: PCM pieces, or one file     ->    heard, drawn, in a thread of its own   voice.py, talk.py
    Media Source, one video element    <-    fragments of one MP4, both tracks      film.py
    every request                            host, origin, token, headers           guard.py

What one visitor does holds up nobody else: everything that waits is bounded (`limits.py`).
"""
