using Microsoft.Extensions.Options;

namespace RequestCoalescing.DependencyInjection;

/// <summary>Validates an instance's options, and says which setting it is.</summary>
internal sealed class ValidateSettings<TOptions>(string name, string section, Action<TOptions> validate) : IValidateOptions<TOptions>
    where TOptions : class
{
    public ValidateOptionsResult Validate(string? optionsName, TOptions options)
    {
        if ((optionsName ?? "") != name) return ValidateOptionsResult.Skip;
        try
        {
            validate(options);
            return ValidateOptionsResult.Success;
        }
        catch (ArgumentException exception)
        {
            return ValidateOptionsResult.Fail($"{section}:{exception.ParamName}: {exception.Message.ReplaceLineEndings(" ")}");
        }
    }
}
