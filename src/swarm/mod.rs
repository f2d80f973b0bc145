//! Floor 2: what to do next. Pure decisions.
