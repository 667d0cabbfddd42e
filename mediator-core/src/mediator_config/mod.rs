//! What a mediator tells OpenHIM about itself: the `mediatorConfig.json` that OpenHIM's users have.
