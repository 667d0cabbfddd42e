use serde_json::Value;

use super::{
    ChannelDefinition, ConfigurationDefinition, Document, Endpoint, MediatorConfig,
    MediatorConfigError,
};

/// Makes a [`MediatorConfig`] in code; see [`MediatorConfig::builder`].
#[derive(Debug, Clone)]
pub struct MediatorConfigBuilder(pub(super) Document);

impl MediatorConfigBuilder {
    /// Says what the mediator does.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.0.description = Some(description.into());
        self
    }

    /// Sets another version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = version.into();
        self
    }

    /// Adds a place where core reaches the mediator; at least one.
    #[must_use]
    pub fn endpoint(mut self, endpoint: Endpoint) -> Self {
        self.0.endpoints.push(endpoint);
        self
    }

    /// Proposes a channel.
    #[must_use]
    pub fn default_channel(mut self, channel: ChannelDefinition) -> Self {
        self.0.default_channel_config.push(channel);
        self
    }

    /// Changes every endpoint and every route of the proposed channels, for example to the host
    /// where this mediator runs.
    #[must_use]
    pub fn map_routes(mut self, change: impl Fn(&mut Endpoint)) -> Self {
        let routes = self
            .0
            .default_channel_config
            .iter_mut()
            .flat_map(|channel| &mut channel.routes);
        self.0.endpoints.iter_mut().chain(routes).for_each(change);
        self
    }

    /// Changes every proposed channel.
    #[must_use]
    pub fn map_channels(mut self, change: impl Fn(&mut ChannelDefinition)) -> Self {
        self.0.default_channel_config.iter_mut().for_each(change);
        self
    }

    /// Defines a parameter that operators can set.
    #[must_use]
    pub fn parameter(mut self, definition: ConfigurationDefinition) -> Self {
        self.0.config_defs.push(definition);
        self
    }

    /// Sets a parameter as long as no operator does.
    #[must_use]
    pub fn initial_value(mut self, param: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.config.insert(param.into(), value.into());
        self
    }

    /// The finished description.
    ///
    /// # Errors
    /// [`MediatorConfigError::Mistakes`] with every mistake.
    pub fn build(self) -> Result<MediatorConfig, MediatorConfigError> {
        MediatorConfig::from_document(self.0)
    }
}
