using Microsoft.CodeAnalysis;
using RequestCoalescing.Analyzers.Calls;

namespace RequestCoalescing.Analyzers.Rules.CoalescedWrite;

/// <summary>The clients that send messages, by their names. Their packages need not be referenced here.</summary>
internal static class MessageClients
{
    private static readonly (string Namespace, string Name)[] s_types =
    [
        ("Amazon.SimpleNotificationService", "IAmazonSimpleNotificationService"),
        ("Amazon.SQS", "IAmazonSQS"),
        ("Azure.Messaging.EventGrid", "EventGridPublisherClient"),
        ("Azure.Messaging.EventHubs.Producer", "EventHubProducerClient"),
        ("Azure.Messaging.ServiceBus", "ServiceBusSender"),
        ("Azure.Storage.Queues", "QueueClient"),
        ("Confluent.Kafka", "IProducer`2"),
        ("Google.Cloud.PubSub.V1", "PublisherClient"),
        ("MailKit", "IMailTransport"),
        ("MassTransit", "IPublishEndpoint"),
        ("MassTransit", "ISendEndpoint"),
        ("MassTransit", "ISendEndpointProvider"),
        ("Microsoft.AspNetCore.Identity", "IEmailSender`1"),
        ("Microsoft.AspNetCore.Identity.UI.Services", "IEmailSender"),
        ("Microsoft.AspNetCore.SignalR", "IClientProxy"),
        ("NServiceBus", "IMessageSession"),
        ("NServiceBus", "IPipelineContext"),
        ("RabbitMQ.Client", "IChannel"),
        ("RabbitMQ.Client", "IModel"),
        ("Rebus.Bus", "IBus"),
        ("SendGrid", "ISendGridClient"),
        ("System.Net.Mail", "SmtpClient"),
        ("Wolverine", "IMessageBus"),
    ];

    private static readonly string[] s_verbs = ["Send", "Publish", "Produce", "BasicPublish", "Schedule"];

    public static bool IsSend(IMethodSymbol method, ITypeSymbol? receiver) =>
        s_verbs.Any(verb => method.Name.StartsWith(verb, StringComparison.Ordinal)) && (IsClient(receiver) || IsClient(method.ContainingType));

    private static bool IsClient(ITypeSymbol? type) => s_types.Any(known => type.DerivesFrom(known.Namespace, known.Name) || type.Implements(known.Namespace, known.Name));
}
