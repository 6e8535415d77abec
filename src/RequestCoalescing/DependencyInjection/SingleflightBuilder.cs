using Microsoft.Extensions.DependencyInjection;

namespace RequestCoalescing.DependencyInjection;

internal sealed class SingleflightBuilder(IServiceCollection services, Registration registration) : ISingleflightBuilder
{
    public IServiceCollection Services => services;

    public string Name => registration.OptionsName;

    public Type KeyType => registration.KeyType;

    public Registration Registration => registration;

    /// <exception cref="ArgumentException">The builder was not made by <c>AddSingleflight</c>.</exception>
    public static Registration RegistrationOf(ISingleflightBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return (builder as SingleflightBuilder)?.Registration ??
            throw new ArgumentException("The builder must be one that AddSingleflight returned.", nameof(builder));
    }

    /// <exception cref="ArgumentException">The keys of the instance are of another type.</exception>
    public static Registration<TKey> RegistrationOf<TKey>(ISingleflightBuilder builder)
        where TKey : notnull
    {
        var registration = RegistrationOf(builder);
        return registration as Registration<TKey> ?? throw new ArgumentException(
            $"The keys of this instance are of type {registration.KeyType}, not {typeof(TKey)}.", nameof(builder));
    }
}
