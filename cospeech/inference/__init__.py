"""A voice and one picture to talking video, chunk by chunk.

    speaker = load("models/export")                 # speaker.py
    person = read_portrait("person.png")            # portrait.py: found, checked, cropped
    with speaker.start(person, seed=0) as session:  # session.py
        for samples in microphone:                  # float32 mono at speaker.settings.sample_rate
            show(session.push(samples))             # the frames that are done by now, maybe none
        show(session.finish())                      # the rest

Samples -> log-mel -> motion -> fitted to the person (`retargeting.py`) -> skeletons, the picture deformed, denoised,
decoded (`frame_stream.py`), several chunks at a time, each in another part (`thread_pipeline.py`). Nothing is global:
sessions of one speaker run side by side, and each takes memory that does not grow.
"""
