//! One transaction of OpenHIM, as a handler sees it.
